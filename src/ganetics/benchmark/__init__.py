"""The benchmark of losses: many seeds, paired, and the statistics that say what they can show."""
