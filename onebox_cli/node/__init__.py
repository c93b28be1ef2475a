"""Making a Debian machine a node: what has to be there, looking whether it is, and putting it there."""
