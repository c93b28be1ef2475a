"""The rows of the life-cycle table, a module for each subject; ``transitions`` puts them together."""
