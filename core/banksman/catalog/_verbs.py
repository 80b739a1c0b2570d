"""The words from which effects are concluded: verbs by what they do, and nouns that change what a verb means."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Look, and change nothing.
READ = _words("""
    get gets list lists describe search find fetch read retrieve query lookup count show view check validate preview
    calculate compute estimate predict analyze analyse detect recognize classify parse decode translate convert
    render simulate explain download head exists compare browse suggest autocomplete geocode geolocate resolve
    inspect poll filter scan select tail wait return returns obtain extract identify rank rerank rescore score
    measure match infer transcribe summarize tokenize embed complete introspect discover display load peek sample
    aggregate annotate determine provides gives report reports access lookups diff evaluate enrich geolookup reverse
    forecast recommend generate echo info status health statistics stats autosuggest typeahead dry verify enumerate
    gather examine monitor decrypt encrypt sign hash look tells
""")

#: Of READ, those that say so only when nothing else speaks: as often they change something.
WEAK_READ = _words("""
    generate test verify monitor sign report reports load access complete reverse forecast match status info can is
    has resolve ask look
""")

#: Change what can be changed back.
WRITE = _words("""
    create add insert update set put patch edit modify change save upsert replace register enable disable start stop
    run execute invoke trigger resume pause suspend activate deactivate upload import copy move rename restore
    undelete attach detach associate disassociate dissociate tag untag assign unassign link unlink subscribe
    unsubscribe follow unfollow star unstar like unlike pin unpin lock unlock block unblock mute unmute archive
    unarchive mark unmark bookmark watch unwatch hide unhide merge split sync synchronize refresh rotate renew
    reboot restart scale resize configure submit request approve reject decline schedule reschedule reorder
    reprioritize sort index reindex ingest initialize initiate init build deploy rollback provision apply append
    increment decrement acknowledge ack resolve confirm open reopen close finish commit begin abort cancel retry
    rerun promote demote favorite unfavorite vote unvote join leave login logout signin signout onboard offboard
    process store write record track log convert customize allocate reserve batch deregister unregister transition
    switch toggle turn power shutdown swap rebase fork clone duplicate install uninstall connect disconnect bind
    unbind mount unmount migrate failover reload revert adjust claim unclaim snooze dismiss ignore accept adopt
    establish define persist makes make declare stash rate annul skip exclude include map unmap populate reprocess
    recalculate recompute reassign extend shorten touch edits inserts handle manage generate test verify sign
    complete load withdrawless mutate bulk upserts renumber reclassify remap restrict unrestrict unset deprecate
    undeprecate impersonate increase decrease prepare assume receive expand reduce relocate correct collect consume
    match access regenerate report reports kick ban unban invalidate reset clear removes remove revoke release
    redeem queue enqueue dequeue train tune label relabel quarantine answer respond settle capture finalize void
    redact
""")

#: Take away for good.
DESTROY = _words("""
    delete deletes destroy purge erase drop wipe terminate expunge truncate evict empty flush discard kill
    obliterate prune eradicate annihilate shred del deletion
""")

#: Reach other people, give them access, or move money.
SEND = _words("""
    send sends publish publishes notify notifies invite invites share email sms broadcast forward reply pay charge
    refund payout purchase buy checkout transfer grant withdraw deposit tip donate dial announce remind tweet
    retweet resend recharge reimburse disburse sell bid nudge deliver dispatch escalate authorize
""")

#: Verbs that are as often nouns; in a GET's name they say nothing.
NOUNS = _words("""
    post posts report reports record records order call charge share transfer email sms page set sets rate map label
    message tip bid reply purchase refund payout deposit process request requests tag tags link links star like
    subscribe index schedule batch build import upload track log change changes block lock watch power release queue
    access match test sample sign status info stats statistics score rank filter preview head merge vote claim copy
    store sort mark start stop close open run switch grant load view check empty drop sync list query search count
    broadcast checkout include exclude monitor forecast complete download export scan diff hash train archive
    install authorize sell look escalate can has is favorite bookmark mute pin forward dispatch answer capture
    return returns
""")

#: Say of a GET that it changes something. Other verbs, such as `manage` or `request`, are used loosely there.
TELLING = DESTROY | _words("""
    send sends publish notify invite email sms broadcast pay charge refund withdraw purchase buy resend share
    transfer create add insert update modify edit remove revoke reset clear trigger reboot restart register
    unregister unsubscribe subscribe stop start cancel pause resume terminate kick ban unban approve reject accept
    close rename move upload join leave write writes logout activate deactivate suspend disable enable archive
    unarchive mark unlock lock submit invalidate rotate renew regenerate switch toggle turn reload shutdown assign
    unassign grant connect disconnect save follow unfollow vote confirm release execute
""")

#: Of NOUNS, those that give orders when a name starts with them: `mark_as_read`, `stop_all`.
ORDERS = _words("""
    mark set start stop run open close switch sync import copy move store empty drop list query search count check view
    include exclude merge lock block pin process subscribe index download export scan preview filter release grant
""")

#: End a relation that can be made again, whatever HTTP method carries them.
RELATION = _words("""
    untag unassign unlink unsubscribe unfollow unpin unlike unstar unwatch unblock unmute unlock unarchive unmark
    unfavorite unvote unbookmark unhide detach disassociate dissociate deregister unregister disable deactivate
    leave unmap unbind disconnect unset unshare unmount uninstall revoke restore undelete logout suspend deauthorize
    unpublish unenroll undo cancel stop pause exclude reset withdraw unschedule unapprove demote dismiss
""")

#: What a DELETE takes off something else, to be put on again.
RELATIONS = _words("""
    tags member members membership memberships collaborator collaborators assignee assignees follower followers
    following star starred reaction reactions like likes favorite favorites favourite favourites bookmark vote votes
    block blocks mute mutes pin lock permission permissions access role roles watcher watchers participant
    participants subscriber subscribers assignment assignments association associations grants bindings binding
    restriction restrictions protection reviewers friendship friends enrollment enrollments session sessions
    connection connections pins stars
""")

#: Of RELATIONS, those that are objects of their own: to delete one is final, to remove one is not.
OBJECTS = _words("""
    lock role roles access block blocks assignment assignments session sessions connection connections restriction
    restrictions protection enrollment enrollments participant participants bookmark
""")

#: To make one of these is to send, to give access, or to move money.
SENT = _words("""
    message messages sms email emails mail notification notifications invitation invitations invite invites payment
    payments payout payouts charge charges refund refunds transfer transfers withdrawal withdrawals donation
    donations permission permissions grant grants share shares collaborator collaborators tweet tweets fax faxes
    call calls registrant registrants broadcast broadcasts acl membership memberships announcement announcements
    purchase purchases checkout review reviews voicemail letter letters postcard postcards topup topups disbursement
    disbursements
""")

#: To make one of these is to have data sent to an address of the caller's choosing.
HOOKS = _words("webhook webhooks hook hooks callback callbacks")

#: Stand before the verb and say nothing about it.
PREFIXES = _words("""
    batch bulk async mass multi multiple try do force admin internal api rest public private user my me id handle v1
    v2 v3 v4 v5 then to please new quick quickly atomically asynchronously synchronously partially permanently
    legacy simple just api2 beta
""")

#: End the object of a verb: what follows is where, for whom, or by what.
PREPOSITIONS = _words(
    "by for in from to with of on at as using via into within under per when if whose that which and its where"
)

#: Arguments by which a caller names an address to fetch.
ADDRESSES = _words("url urls uri image_url imageurl page_url website target_url source_url weburl webpage")

#: Arguments by which a caller names where a result goes.
DESTINATIONS = (
    "destination", "outputconfig", "outputuri", "outputurl", "callback", "webhook", "gcsdestination", "s3bucket",
    "outputgcs", "exportdestination", "targeturl", "s3destination",
)  # fmt: skip

#: What a conversion without a trace is made of or into; other conversions change the thing itself.
FORMATS = _words("""
    pdf html markdown json xml csv svg png jpg image images file files document documents text audio video currency
    currencies amount unit units address addresses coordinates timezone id ids url urls docx office latex geojson
""")

#: To put somebody into one of these is to give access.
OFFICES = _words("admin admins administrator administrators owner owners role roles")

#: Money that a decision sets in motion.
MONEY = _words("payment payments charge charges payout payouts transfer transfers refund refunds checkout withdrawal")

#: Stand behind the object and say nothing about it.
SUFFIXES = _words("legacy preview deprecated async batch v1 v2 v3 v4 request action")

#: Sentences about what happens that no verb in the name tells.
FINAL = (
    "destroying all data", "permanently delete", "permanently remove", "permanently destroy", "cannot be undone",
    "can't be undone", "cannot be recovered", "irreversibl", "will be permanently", "data will be lost",
    "is deleted permanently",
)  # fmt: skip
REACHING = (
    "sends an email", "sends a notification", "send an email to", "sends an sms", "sends a message",
    "sends an invitation",
    "send a notification", "will be notified", "will receive an email", "sends out",
    "sends a push", "sends the message",
    "sends a text", "sends an event",
)  # fmt: skip
