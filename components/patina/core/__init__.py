"""What every stage shares: the taxonomy, the artifact contracts, configuration, errors and provenance."""
