# What a hand changed after the approval is not written over.
ana opens move-www as a draft: www = 192.0.2.7
it waits for approval
ben approves it
it waits for "draft"
a hand sends www to 192.0.2.200
ana makes it ready
it is refused
BIND still answers www 192.0.2.200
