"""What each notebook shows: results to blocks, one module a notebook; words and order here, numbers from analysis."""
