# Every indexer reads events from its standard input and leaves out those that are not valid.
USAGE="<events"
cli "$@"
