"""What the Python tests and benches share: how to run the program and how to read its answers."""
