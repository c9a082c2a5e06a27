# A request that is sent to another branch is nothing of ours until it comes back.
not on local: its requests go to the governed branch alone
ana makes the branch other: notes.md = "elsewhere"
ana opens move-www: www = 192.0.2.7
it waits for approval
ana sends it to other
it is closed
ana sends it to main
it waits for approval
ben approves it
it merges
