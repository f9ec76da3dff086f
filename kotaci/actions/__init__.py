"""The way out: findings to a plan that a person can read, and the plan to GitHub; nothing else writes there."""
