"""Agents of kind `openai`: a model behind an HTTP interface that is compatible with OpenAI's chat completions."""
