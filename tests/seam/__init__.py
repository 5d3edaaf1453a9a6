"""One suite for every implementation of a seam: readers must not see who writes a log (`Source`), nor producers who grants leases (`Leases`)."""
