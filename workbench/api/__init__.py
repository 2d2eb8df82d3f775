"""The desk over loopback: HTTP and WebSocket server, OpenAPI document, typed client, and the notebook's `Session`.

What lives here: routes, tokens and tickets, Host and Origin lists, the address book, the engine process's main,
and the clients. What does not: any decision about trading. Importing this package loads nothing heavy.
"""
