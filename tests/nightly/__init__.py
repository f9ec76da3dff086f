"""The scheduled workflow, the action and `kotaci init`."""
