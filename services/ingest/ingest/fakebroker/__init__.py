"""A broker of one's own on loopback: its REST, instrument master and binary stream, with a switch for each way they are known to fail."""
