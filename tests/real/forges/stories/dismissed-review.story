# A review that was dismissed approves no more.
not on local: it has no reviews
policy reviews_count: true
ana opens move-www as a draft: www = 192.0.2.7
it waits for approval
ben reviews it as good
it waits for "draft"
root dismisses the review of ben
it is awaiting_approval
it waits for "/trueup approve"
ana makes it ready
ben reviews it as good
it merges
