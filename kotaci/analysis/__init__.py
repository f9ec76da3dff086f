"""Questions, one module each: tables in, tables and findings out; no disk, no network, no clock."""
