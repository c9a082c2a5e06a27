# A comment that becomes a command by an edit is none.
not on local: comments stay as they were written
ana opens move-www: www = 192.0.2.7
it waits for approval
ben comments "looks good"
cleo edits the comment: "/trueup approve"
ben comments "/trueup help"
it answers "/trueup approve"
it is still awaiting_approval
BIND still answers www 192.0.2.1
