"""What people read: blocks and charts for notebook cells, and the runner that turns notebooks into reports."""
