"""What strangers' bytes cost: at most in proportion to how many they are."""
