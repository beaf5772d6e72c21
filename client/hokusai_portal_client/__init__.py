"""The command hokusai-portal: what an API key may do with a portal, from any machine with Python and requests.

It knows a portal by its address and a key, and has neither Django nor a database.
"""

__version__ = "0.1.0"
