"""What people already have: run-log zips, `gh run view --log`, job logs, tinuous, clones, and the files of a checkout.

Nothing is imported here: an audit reads a checkout, and needs nothing of what reads logs.
"""
