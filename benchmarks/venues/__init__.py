"""What benchmarks need of each venue: its emulator's account, an order, and the same order as plain bytes."""
