# What a stranger sends from a fork is not even looked at until a member says so.
not on local: it has no forks
mallory opens evil from a fork: www = 192.0.2.7
it waits for "/trueup plan"
BIND still answers www 192.0.2.1
cleo comments "/trueup plan"
it waits for approval
ben approves it
it merges
BIND still answers www 192.0.2.7
