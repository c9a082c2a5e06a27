# Where policy asks for two people, one is not enough.
policy approvals: [{ count: 2 }]
ana opens move-www: www = 192.0.2.7
it waits for approval
ben approves it
it waits for "1 approval"
it is still awaiting_approval
BIND still answers www 192.0.2.1
root approves it
it merges
BIND still answers www 192.0.2.7
