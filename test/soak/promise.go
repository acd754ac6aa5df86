package main

// Promise names what Streamroom promises. A check that finds one broken reports
// a Violation of it.
type Promise string

// What is checked. The name says what went wrong.
const (
	// Lost: what was acknowledged or seen is in the history.
	Lost Promise = "lost"
	// StoredTwice: a send is in the history once, however often it was repeated.
	StoredTwice Promise = "stored twice"
	// Altered: a message is everywhere as it was sent or edited by its sender, and a
	// deletion that was acknowledged is final.
	Altered Promise = "altered"
	// WentBack: a client hands on the versions of a message oldest first, and nothing
	// after its deletion.
	WentBack Promise = "went back"
	// OutOfOrder: the history is in the order of ids.
	OutOfOrder Promise = "out of order"
	// NotLinearizable: sends and reads of the history are those of one set that is
	// read in the order of ids, for every reader.
	NotLinearizable Promise = "not linearizable"
	// SeenTwice: a client hands a message to its application once.
	SeenTwice Promise = "seen twice"
	// Unordered: a client hands messages on in order, unless it says that one is
	// late.
	Unordered Promise = "unordered"
	// Foreign: a client gets messages, and learns who types, only of rooms that its user
	// may have been a member of.
	Foreign Promise = "foreign"
	// Missing: a member's device that is connected in the end has every message of
	// the room since it began.
	Missing Promise = "missing"
	// Differs: the state machine's final comparison. What a client holds in the end
	// equals what the server answers to a fresh reader: rooms, their names, order and
	// counts of unread messages and mentions; the messages that are shown, with edits,
	// deletions, quotes, mentions and reactions, also one's own; read marks; who is online,
	// 15 s after they have gone. It has to hold after all faults and a reconnect; after
	// changes that were made while the client was connected; and after those that were made
	// while it was not. The Go client and the browser library are compared alike.
	Differs Promise = "differs"
	// Reaction: a reaction that was acknowledged is there, one that was taken back is not,
	// and a message's counts are the sum of what its members reacted with.
	Reaction Promise = "reaction"
	// NotDelivered: a device that was left alone gets each message without having
	// to reconnect. Messages in the failure queue are exempt.
	NotDelivered Promise = "not delivered"
	// Forgotten: a connection that lives, and was never answered 410, is known.
	Forgotten Promise = "forgotten"
	// List: the room list ends up at each room's newest message.
	List Promise = "list"
	// Members: the list of members and its count end up as the changes that were
	// acknowledged.
	Members Promise = "members"
	// Unread: a room list says how far its user has read, and how much is unread.
	Unread Promise = "unread"
	// Outlives: no item stays longer than its time and TTL's lag, and no message can be read
	// that is past its room's retention.
	Outlives Promise = "outlives"
	// Remains: nothing is left of a user who left a room.
	Remains Promise = "remains"
	// Ended: the gateway ends no connection for its age or idleness: clients replace it,
	// or ping, before.
	Ended Promise = "ended"
	// Costs: a device connects as often in a day as its habits and its tokens ask for.
	Costs Promise = "costs"
	// Slow: a device that is connected gets each message at once, unless fanout is down: not
	// by its next ping.
	Slow Promise = "slow"
	// Woken: a tab that was frozen has what was sent in the meantime soon after it is seen
	// again, whether it is told that it is or not.
	Woken Promise = "woken"
	// Dated: a message's time is that of its sending.
	Dated Promise = "dated"
	// Refused: what a user may do succeeds once no faults are injected any more.
	Refused Promise = "refused"
	// Reported: those who moderate a room are listed what was reported and not dismissed.
	Reported Promise = "reported"
	// Placed: a public room is found around its place, and nowhere else.
	Placed Promise = "placed"
	// Hidden: who is connected is said to be online, unless they hide it.
	Hidden Promise = "hidden"
	// Unauthorized: a user who is not a member, is muted or blocked, cannot send; who is
	// banned cannot be added.
	Unauthorized Promise = "unauthorized"
	// Connected: every device connects again after the last fault.
	Connected Promise = "connected"
	// ClientRuns and ServerRuns: neither ends by itself, nor does a function panic.
	ClientRuns Promise = "client"
	ServerRuns Promise = "server"
)
