"""Reading from SQL for pages and commands; nothing here changes anything."""
