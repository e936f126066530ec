"""A model that says what a file tells it to: for agents that shall run without an account, in tests, demos and offline.

`server.MockModel` listens on loopback and speaks Anthropic Messages, OpenAI chat completions and OpenAI Responses.
"""
