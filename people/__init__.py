"""Who may sign in, and how: accounts, sessions, passwords, passkeys, OpenID Connect."""
