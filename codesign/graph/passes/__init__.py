"""What makes a graph smaller and leaves every integer: each pass is a pure function of a graph and its inputs' types."""
