"""Parts of the fuzz run (:mod:`tests.security.fuzz`): how files are damaged, what reads them, and who watches."""
