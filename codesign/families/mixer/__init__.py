"""Networks that mix fields of an item and items of a field in turn."""
