"""What tools/bench is made of: figures and tables, processes measured in turn, and the sections."""
