"""The interface over the registry for clients without an XML-RPC library: JSON over HTTP at /api/v1."""
