# Our comment comes back when somebody deletes it.
not on local: comments stay
ana opens move-www: www = 192.0.2.7
it waits for approval
it says "192.0.2.7"
root deletes our comment
ben comments "/trueup approve"
it merges
it says "erged"
