"""What `make dist` has built, used as a new user would."""
