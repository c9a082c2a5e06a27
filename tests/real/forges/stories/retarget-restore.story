# What it wrote before it was sent to another branch is taken back, as the branch that governs says.
not on local: its requests go to the governed branch alone
a health check fails from the beginning
ana makes the branch other: notes.md = "elsewhere"
ana opens move-www: www = 192.0.2.7
it waits for approval
ben approves it
BIND answers www 192.0.2.7
ana sends it to other
it is closed
BIND still answers www 192.0.2.7
ben comments "/trueup restore"
it is restored
BIND still answers www 192.0.2.1
main lacks 192.0.2.7
