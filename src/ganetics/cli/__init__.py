"""The command ``ganetics``: a file a command, each parses, calls and prints."""
