"""Runbooks that the tests run."""

TIDY = """
name: tidy
goal: Tidy the notes up
inputs: {who: {default: carl}}
steps:
  all: {action: notes.list, on: "notes:acme"}
  mend:
    action: notes.update
    on: "notes:acme"
    for_each: "${all}"
    with: {id: "${each.id}", text: "${each.text} (seen)"}
  new: {action: notes.create, on: "notes:acme", with: {text: bread, author: "${inputs.who}"}}
  tell:
    action: chat.post
    on: "chat:acme"
    with: {channel: "#paid", text: "note ${new.id} is new"}
    else_try: [{action: chat.post, on: "chat:acme", with: {channel: "#other", text: "there is a new note"}}]
  drop: {action: notes.delete, on: "notes:acme", after: [mend], with: {id: 2}}
outputs: {new: "${new.id}"}
"""

MEND = """
name: mend
steps:
  mend: {action: notes.update, on: "notes:acme", with: {id: 1, text: "MILK"}}
"""

PRODUCTION = MEND.replace("notes:acme", "notes:live")

READ = """
name: read
steps:
  all: {action: notes.list, on: "notes:acme"}
outputs: {count: "${length(all)}"}
"""

TELL = """
name: tell
steps:
  tell: {action: chat.post, on: "chat:acme", with: {channel: "#all", text: "hello"}}
  new: {action: notes.create, on: "notes:acme", after: [tell], with: {text: "told"}}
"""

#: The list is read again once the note is there: what it chooses needs a second look, and a second yes.
STAGES = """
name: stages
steps:
  new: {action: notes.create, on: "notes:acme", with: {text: bread}}
  all: {action: notes.list, on: "notes:acme", after: [new]}
  mend:
    action: notes.update
    on: "notes:acme"
    for_each: "${all}"
    with: {id: "${each.id}", text: "${each.text}!"}
"""

REFUSED = """
name: refused
steps:
  mend: {action: notes.update, on: "notes:acme", with: {id: 1, text: refused}}
"""
