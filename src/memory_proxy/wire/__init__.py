"""Wire formats. To add one: write its module, list it here, give it a folder of recorded bodies."""
