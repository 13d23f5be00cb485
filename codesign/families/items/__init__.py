"""What all families of networks on items and images have in common."""
