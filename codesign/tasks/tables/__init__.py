"""Tasks on the user's own tables: classification and regression of any columns."""
