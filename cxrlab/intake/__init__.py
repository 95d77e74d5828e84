"""What ingest stands on: a raw folder looked at, decoded by several processes, kept safe until its store is written."""
