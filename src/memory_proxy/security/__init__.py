"""Who may do what, and which requests are refused before anything is understood of them."""
