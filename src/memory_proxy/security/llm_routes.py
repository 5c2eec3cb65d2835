"""The routes of LiteLLM's LLM API: what may be asked of it through us, and nothing else.

From the route table of LiteLLM 1.109.1. A `*` stands for one segment, `**` for one or more, as
model names hold slashes. Everything else of LiteLLM is out of reach: keys, users, teams, spend,
configuration, MCP, health, the pages of its UI, and the routes that pass a call on to a provider
with the proxy's own credentials.
"""

ROUTES_WITH_AND_WITHOUT_V1 = """
POST            /chat/completions
POST            /completions
POST            /embeddings
POST            /moderations
POST            /responses
POST            /responses/compact
POST            /responses/input_tokens
GET,DELETE      /responses/*
POST            /responses/*/cancel
GET             /responses/*/input_items
POST            /messages
POST            /messages/count_tokens
GET,POST        /messages/batches
GET,DELETE      /messages/batches/*
POST            /messages/batches/*/cancel
GET             /messages/batches/*/results
GET             /models
GET             /models/*
POST            /models/**:generateContent
POST            /models/**:streamGenerateContent
POST            /models/**:countTokens
POST            /images/generations
POST            /images/edits
POST            /images/variations
POST            /audio/speech
POST            /audio/transcriptions
POST            /audio/translations
POST            /rerank
POST            /ocr
GET,POST        /batches
GET             /batches/*
POST            /batches/*/cancel
GET,POST        /files
GET,DELETE      /files/*
GET             /files/*/content
GET,POST        /fine_tuning/jobs
GET             /fine_tuning/jobs/*
POST            /fine_tuning/jobs/*/cancel
GET             /fine_tuning/jobs/*/events
GET,POST        /vector_stores
GET,POST,DELETE /vector_stores/*
POST            /vector_stores/*/search
GET,POST        /vector_stores/*/files
GET,POST,DELETE /vector_stores/*/files/*
GET             /vector_stores/*/files/*/content
GET,POST        /assistants
DELETE          /assistants/*
POST            /threads
GET             /threads/*
GET,POST        /threads/*/messages
POST            /threads/*/runs
GET             /realtime
POST            /realtime/calls
POST            /realtime/client_secrets
POST            /realtime/transcription_sessions
GET,POST        /videos
GET             /videos/*
GET             /videos/*/content
POST            /videos/*/remix
POST            /videos/characters
GET             /videos/characters/*
POST            /videos/edits
POST            /videos/extensions
GET,POST        /containers
GET,DELETE      /containers/*
GET,POST        /containers/*/files
GET,DELETE      /containers/*/files/*
GET             /containers/*/files/*/content
POST            /engines/**/chat/completions
POST            /engines/**/completions
POST            /engines/**/embeddings
"""

ROUTES_AS_THEY_ARE = """
POST            /v2/rerank
POST            /openai/deployments/**/chat/completions
POST            /openai/deployments/**/completions
POST            /openai/deployments/**/embeddings
POST            /openai/deployments/**/images/generations
POST            /openai/deployments/**/images/edits
POST            /v1beta/models/**:generateContent
POST            /v1beta/models/**:streamGenerateContent
POST            /v1beta/models/**:countTokens
POST            /v1beta/interactions
GET,DELETE      /v1beta/interactions/*
POST            /v1beta/interactions/*/cancel
"""
