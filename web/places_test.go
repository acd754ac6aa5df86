package web_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
)

// handlePlaces serves public rooms and their places.
func (f *fake) handlePlaces(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/nearby", f.as(f.nearby))
	mux.HandleFunc("POST /api/rooms/{room}/join", f.as(func(w http.ResponseWriter, r *http.Request, user string) {
		id := r.PathValue("room")
		room := f.rooms[id]
		if room == nil || !room.public {
			problem(w, http.StatusForbidden, "not_a_member", "you are not a member of this room")
			return
		}
		if !slices.Contains(room.members, user) {
			room.members = append(room.members, user)
			f.tell(id, user)
		}
		answer(w, http.StatusCreated, f.describe(id))
	}))
	mux.HandleFunc("PUT /api/rooms/{id}/place", f.as(func(w http.ResponseWriter, r *http.Request, _ string) {
		in, ok := decode[wire.Place](w, r)
		if !ok {
			return
		}
		f.placed(r.PathValue("id"), &in)
		answer(w, http.StatusOK, in)
	}))
	mux.HandleFunc("DELETE /api/rooms/{id}/place", f.as(func(w http.ResponseWriter, r *http.Request, _ string) {
		f.placed(r.PathValue("id"), nil)
		w.WriteHeader(http.StatusNoContent)
	}))
}

// placed sets a room's place, and tells its members.
func (f *fake) placed(id string, place *wire.Place) {
	f.rooms[id].place = place
	f.broadcast(id, wire.RoomChanged{Type: wire.TypeRoomChanged, ChatRoomID: id, Name: f.rooms[id].name})
}

// nearby answers with the rooms within the radius; its cursor counts them.
func (f *fake) nearby(w http.ResponseWriter, r *http.Request, _ string) {
	q := r.URL.Query()
	radius, _ := strconv.ParseFloat(q.Get("radius"), 64)
	limit, _ := strconv.Atoi(q.Get("limit"))
	from, _ := strconv.Atoi(q.Get("cursor"))
	if q.Get("lat") != "52.52" || q.Get("lon") != "13.405" {
		f.t.Errorf("a search around %s", r.URL.RawQuery)
	}
	all := []wire.NearbyRoom{}
	for id, room := range f.rooms {
		if room.place != nil && room.distance <= radius {
			all = append(all, wire.NearbyRoom{ChatRoomID: id, Name: room.name, Distance: room.distance, Place: *room.place})
		}
	}
	slices.SortFunc(all, func(a, b wire.NearbyRoom) int { return cmp.Compare(a.Distance, b.Distance) })
	page := wire.NearbyList{Rooms: all[from:min(len(all), from+limit)]}
	if from+limit < len(all) {
		page.Cursor = strconv.Itoa(from + limit)
	}
	answer(w, http.StatusOK, page)
}

// standing puts a page's device somewhere, and decides what the page may know of it.
func (p *page) standing(lat, lon float64, may cdpbrowser.PermissionSetting) {
	p.t.Helper()
	accuracy := 10.0
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetGeolocationOverride, emulation.SetGeolocationOverrideParams{
			Latitude: &lat, Longitude: &lon, Accuracy: &accuracy,
		})
		return err
	}))
	p.allow(may)
}

// neighbourhood has a room in reach of each of n distances.
func neighbourhood(f *fake, n int) {
	f.with(func() {
		for i := range n {
			f.rooms[fmt.Sprintf("p%d", i)] = &fakeRoom{
				name: fmt.Sprintf("Place %d", i), public: true, members: []string{"bob"}, distance: 40 + float64(i)*180,
				place: &wire.Place{Lat: 52.52, Lon: 13.405, Address: fmt.Sprintf("Linienstraße %d", i)},
			}
		}
		if n > 1 {
			f.rooms["p1"].members = []string{"bob", "alice"}
			f.rooms["p1"].name = "Averylongnamethathasnobreakinitandgoeson"
			f.rooms["p0"].place.StartsAt, f.rooms["p0"].place.EndsAt = 4_000_000_000_000, 4_000_007_200_000
		}
	})
}

const nearbyRooms = `[...document.querySelectorAll("[data-testid=nearby-room]")]`

func TestRoomsNearMe(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	neighbourhood(f, 25)
	alice := signedIn(t, f.URL, "alice")
	if eval[int](alice, `performance.getEntriesByType("resource").filter((e) => e.name.includes("/nearby?")).length`) != 0 {
		t.Error("something near was asked for before it was wanted")
	}
	alice.standing(52.52, 13.405, cdpbrowser.PermissionSettingGranted)
	alice.opened()
	alice.do(`document.querySelector("[data-testid=nearby]").focus()`)
	alice.enter(0)
	alice.until(nearbyRooms + `.length === 20`)
	alice.until(`document.getElementById("nearby-status").textContent === "20 rooms, the nearest first."`)
	for i, want := range []string{"40 m", "220 m", "400 m"} {
		alice.until(fmt.Sprintf(`%s[%d].innerText.includes(%q)`, nearbyRooms, i, want))
	}
	alice.until(nearbyRooms + `[19].innerText.includes("3.5 km")`)
	alice.until(nearbyRooms + `[0].innerText.includes("Linienstraße 0 · starts Oct 2, 2096")`)
	alice.until(nearbyRooms + `[1].innerText.includes("you are in it") && ` + nearbyRooms + `[1].querySelector("button").innerText.startsWith("Open")`)
	for _, look := range looks {
		alice.look(look.width, look.height, look.scheme)
		alice.screenshot("near-" + look.name)
		if wide := eval[bool](alice, `document.documentElement.scrollWidth > innerWidth || document.getElementById("nearby-dialog").scrollWidth > document.getElementById("nearby-dialog").clientWidth`); wide {
			t.Errorf("%s: something is wider than the screen", look.name)
		}
	}
	alice.look(1200, 800, "light")
	alice.choose("nearby-radius", "500")
	alice.until(nearbyRooms + `.length === 3 && document.getElementById("nearby-more").hidden`)
	alice.choose("nearby-radius", "100")
	alice.until(nearbyRooms + `.length === 1`)
	alice.choose("nearby-radius", "")
	alice.until(nearbyRooms + `.length === 20`)
	alice.click("nearby-more")
	alice.until(nearbyRooms + `.length === 25`)
	alice.until(`document.getElementById("nearby-more").hidden && document.activeElement === ` + nearbyRooms + `[20].querySelector("button")`)
	alice.escape()
	alice.until(`document.activeElement?.dataset.testid === "nearby" && ` + nearbyRooms + `.length === 0`)

	alice.click("nearby")
	alice.until(nearbyRooms + `.length === 20`)
	alice.click("nearby-join")
	alice.until(`!document.getElementById("nearby-dialog").open && document.getElementById("room-name").textContent === "Place 0"`)
	alice.send("Hello")
	alice.shows("Hello")
	// A room that became private in the meantime.
	alice.click("nearby")
	alice.until(nearbyRooms + `.length === 20`)
	f.with(func() { f.rooms["p2"].public = false })
	alice.click("nearby-join")
	alice.until(`document.getElementById("nearby-problem").textContent === "This room is not public any more."`)
}

// choose takes an option.
func (p *page) choose(id, value string) {
	p.t.Helper()
	p.do(fmt.Sprintf(`(() => { const s = document.getElementById(%q); s.value = %q; s.dispatchEvent(new Event("change")); })()`, id, value))
}

// A room's address shows a stranger what it is, and lets them join if it is public.
func TestAStrangerJoinsByTheAddress(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	neighbourhood(f, 1)
	f.with(func() { f.rooms["private"] = &fakeRoom{name: "Secret", members: []string{"bob"}} })
	alice := signedIn(t, f.URL, "alice")
	alice.do(`location.hash = "#/room/private"`)
	alice.until(`document.getElementById("room-note").innerText.includes("You are not a member")`)
	if eval[bool](alice, `document.body.innerText.includes("Secret")`) {
		t.Error("a private room says what it is called")
	}
	alice.do(`location.hash = "#/room/p0"`)
	alice.until(`document.getElementById("room-note").innerText.includes("It has 1 member")`)
	alice.until(`document.getElementById("room-name").textContent === "Place 0" && document.getElementById("room-place").textContent === "Linienstraße 0"`)
	alice.until(`document.getElementById("composer").hidden && document.getElementById("room-members").hidden`)
	for _, look := range looks {
		alice.look(look.width, look.height, look.scheme)
		alice.screenshot("place-stranger-" + look.name)
	}
	alice.look(1200, 800, "light")
	alice.do(`document.querySelector("[data-testid=join]").focus()`)
	alice.enter(0)
	alice.until(`!document.getElementById("composer").hidden`)
	alice.send("Hello")
	alice.shows("Hello")
	alice.click("members")
	alice.click("leave")
	alice.until(`document.getElementById("confirm-text").textContent.includes("You can join again as long as it is public")`)
	// It stays open, to be joined again.
	alice.click("confirm-yes")
	alice.until(`document.getElementById("composer").hidden && document.querySelector("[data-room-id=p0]") === null`)
	alice.until(`document.getElementById("room-note").innerText.includes("It has 1 member")`)
	alice.screenshot("place-left")
	alice.click("join")
	alice.until(`!document.getElementById("composer").hidden`)
	alice.shows("Hello")
}

var looks = []struct {
	name          string
	width, height int64
	scheme        string
}{{"light", 1200, 800, "light"}, {"dark", 1200, 800, "dark"}, {"phone", 390, 780, "light"}, {"phone-dark", 390, 780, "dark"}, {"narrow", 320, 640, "dark"}}

// What a page that gets no position says, and what it does once it gets one.
func TestNoPosition(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	says := func(text string) {
		t.Helper()
		alice.until(`document.getElementById("nearby-problem").textContent.includes("` + text + `")`)
	}
	alice.standing(52.52, 13.405, cdpbrowser.PermissionSettingDenied)
	alice.click("nearby")
	says("Allow it in the browser’s settings")
	for _, look := range looks {
		alice.look(look.width, look.height, look.scheme)
		alice.screenshot("near-refused-" + look.name)
	}
	alice.look(1200, 800, "light")
	for code, text := range map[int]string{2: "Turn on this device’s location service", 3: "took too long"} {
		alice.do(fmt.Sprintf(`navigator.geolocation.getCurrentPosition = (_, no) => no({ code: %d })`, code))
		alice.click("nearby-again")
		says(text)
	}
	alice.do(`delete navigator.geolocation.getCurrentPosition`)
	alice.allow(cdpbrowser.PermissionSettingGranted)
	alice.click("nearby-again")
	alice.until(`document.getElementById("nearby-status").textContent === "No public room has a place within 50 km."`)
	alice.until(`document.getElementById("nearby-problem").textContent === ""`)
	f.with(func() {
		f.rooms["far"] = &fakeRoom{name: "Far", public: true, members: []string{"bob"}, distance: 31_400, place: &wire.Place{Lat: 1, Lon: 1}}
	})
	alice.click("nearby-again")
	alice.until(nearbyRooms + `[0]?.innerText.includes("31 km")`)
}

// allow decides whether the page may know where it is.
func (p *page) allow(may cdpbrowser.PermissionSetting) {
	p.t.Helper()
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{
			Permission: &cdpbrowser.PermissionDescriptor{Name: "geolocation"}, Setting: may,
			BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
		})
		return err
	}))
}

// An owner places a room by the position and by numbers, others see it, and it goes
// with the room's being public.
func TestAnOwnerPlacesARoom(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["general"].members = []string{"alice", "bob"} })
	alice, bob := inRoom(t, f.URL, "alice"), inRoom(t, f.URL, "bob")
	alice.standing(52.52, 13.405, cdpbrowser.PermissionSettingGranted)
	place := func() (place *wire.Place) {
		f.with(func() { place = f.rooms["general"].place })
		return place
	}
	alice.click("members")
	alice.click("place-owners")
	alice.until(`document.getElementById("visibility").textContent.startsWith("Private") && document.getElementById("place-form").hidden`)
	alice.click("share")
	alice.until(`document.getElementById("visibility").textContent.startsWith("Public") && !document.getElementById("place-form").hidden`)
	alice.do(`document.getElementById("place-at").value = "91, 200"`)
	alice.click("place-save")
	alice.until(`document.getElementById("place-problem").textContent.includes("latitude") && document.activeElement.id === "place-at"`)
	alice.click("place-mine")
	alice.until(`document.getElementById("place-at").value === "52.52, 13.405"`)
	alice.do(`document.getElementById("place-address").value = "Linienstraße 1"`)
	alice.click("place-save")
	alice.until(`document.getElementById("place-view").textContent === "Linienstraße 1 (52.52, 13.405)"`)
	if got, want := *place(), (wire.Place{Lat: 52.52, Lon: 13.405, Address: "Linienstraße 1"}); got != want {
		t.Errorf("the place is %+v, want %+v", got, want)
	}
	alice.screenshot("place-owner")
	alice.look(320, 640, "dark")
	alice.screenshot("place-owner-narrow")
	if eval[bool](alice, `document.getElementById("members-dialog").scrollWidth > document.getElementById("members-dialog").clientWidth`) {
		t.Error("the dialog is wider than a narrow screen")
	}
	alice.look(1200, 800, "light")

	// The time, in the browser's zone; others see it come, and go.
	alice.do(`document.getElementById("place-starts").value = "2096-10-02T18:30"; document.getElementById("place-ends").value = "2096-10-02T17:30"`)
	alice.click("place-save")
	alice.until(`document.getElementById("place-problem").textContent.includes("after the start") && document.activeElement.id === "place-ends"`)
	alice.do(`document.getElementById("place-ends").value = "2096-10-02T20:00"`)
	alice.click("place-save")
	bob.until(`document.getElementById("room-place").textContent.startsWith("Linienstraße 1 · starts Oct 2, 2096, 6:30")`)
	if got, want := place(), eval[int64](alice, `new Date(2096, 9, 2, 18, 30).getTime()`); got.StartsAt != want || got.EndsAt != want+90*60_000 {
		t.Errorf("the time is %d to %d, want %d and 90 minutes", got.StartsAt, got.EndsAt, want)
	}
	alice.escape()
	alice.until(`document.querySelector("dialog[open]") === null`)
	for _, look := range looks {
		alice.look(look.width, look.height, look.scheme)
		alice.screenshot("place-head-" + look.name)
		if eval[bool](alice, `document.documentElement.scrollWidth > innerWidth`) {
			t.Errorf("%s: the page is wider than the screen", look.name)
		}
		alice.do(`document.querySelector("[data-testid=members]").click(); document.getElementById("place-owners").open = true`)
		alice.do(`document.querySelector("[data-testid=place-save]").scrollIntoView()`)
		alice.screenshot("place-time-" + look.name)
		if eval[bool](alice, `document.getElementById("members-dialog").scrollWidth > document.getElementById("members-dialog").clientWidth`) {
			t.Errorf("%s: the dialog is wider than the screen", look.name)
		}
		alice.escape()
	}
	alice.look(1200, 800, "light")
	f.with(func() {
		f.placed("general", &wire.Place{Lat: 52.52, Lon: 13.405, Address: "Linienstraße 1", EndsAt: 1})
	})
	bob.until(`document.getElementById("room-place").textContent.startsWith("Linienstraße 1 · ended ")`)
	bob.screenshot("place-ended")
	alice.click("members")
	alice.do(`document.getElementById("place-owners").open = true`)

	bob.click("members")
	bob.until(`document.getElementById("place-view").textContent.startsWith("Linienstraße 1")`)
	bob.until(`document.getElementById("place-owners").hidden`)
	bob.screenshot("place-member")

	alice.click("place-remove")
	alice.until(`document.getElementById("place-remove").hidden && document.activeElement.id === "place-at"`)
	alice.do(`document.getElementById("place-at").value = "-33.8568, 151.2153"`)
	alice.click("place-save")
	alice.until(`!document.getElementById("place-remove").hidden`)
	alice.click("share")
	alice.until(`document.getElementById("confirm-dialog").open`)
	alice.click("confirm-yes")
	alice.until(`document.getElementById("visibility").textContent.startsWith("Private") && document.getElementById("place-view").hidden`)
	if place() != nil {
		t.Error("a private room has a place")
	}
}

// Two people, and a room that one places and the other finds and joins.
func TestARoomIsFoundOnTheRealServer(t *testing.T) {
	t.Parallel()
	startBrowser(t)
	server := startLocal(t, local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Log: t.Output()})
	alice, bob := inRoom(t, server.URL(), "alice"), inRoom(t, server.URL(), "bob")
	alice.standing(52.52, 13.405, cdpbrowser.PermissionSettingGranted)
	bob.standing(52.5236, 13.405, cdpbrowser.PermissionSettingGranted)
	alice.click("new-room")
	alice.typed("Chess\n")
	alice.until(`document.getElementById("room-name").textContent === "Chess" && !document.getElementById("room-members").hidden`)
	alice.click("members")
	alice.click("place-owners")
	alice.click("share")
	alice.until(`!document.getElementById("place-form").hidden`)
	alice.click("place-mine")
	alice.until(`document.getElementById("place-at").value !== ""`)
	alice.do(`document.getElementById("place-address").value = "Café"`)
	alice.click("place-save")
	alice.until(`document.getElementById("place-view").textContent === "Café (52.52, 13.405)"`)
	alice.escape()

	bob.click("nearby")
	bob.until(`(() => {
		if (document.getElementById("nearby-status").textContent.startsWith("No ")) document.getElementById("nearby-again").click();
		return ` + nearbyRooms + `.length > 0; })()`)
	bob.until(nearbyRooms + `[0].innerText.includes("Chess") && ` + nearbyRooms + `[0].innerText.includes("400 m")`)
	bob.click("nearby-join")
	bob.until(`document.getElementById("room-name").textContent === "Chess"`)
	bob.send("White or black?")
	alice.shows("White or black?")
}

func TestAccessibilityOfPlaces(t *testing.T) {
	t.Parallel()
	source := axe(t)
	f := newFake(t)
	neighbourhood(f, 25)
	f.with(func() {
		f.rooms["general"].members = []string{"alice", "bob"}
		f.rooms["general"].public, f.rooms["general"].place, f.rooms["general"].distance = true, &wire.Place{Lat: 1, Lon: 2, Address: "Mitte"}, 9_000
	})
	alice := inRoom(t, f.URL, "alice")
	alice.standing(52.52, 13.405, cdpbrowser.PermissionSettingGranted)
	for _, look := range looks {
		alice.look(look.width, look.height, look.scheme)
		alice.accessible(source, "a room with a place, "+look.name)
		alice.do(`location.hash = "#/room/p2"`)
		alice.until(`!document.getElementById("room-note").hidden && document.querySelector("[data-testid=join]")?.checkVisibility()`)
		alice.accessible(source, "a room to join, "+look.name)
		alice.do(`location.hash = "#/room/general"`)
		alice.until(`document.getElementById("room-place").textContent === "Mitte" && !document.getElementById("composer").hidden`)
		alice.allow(cdpbrowser.PermissionSettingDenied)
		alice.do(`document.querySelector("[data-testid=nearby]").click()`)
		alice.until(`document.getElementById("nearby-problem").textContent.includes("Allow it in the browser’s settings")`)
		alice.accessible(source, "near me, no position, "+look.name)
		alice.escape()
		alice.allow(cdpbrowser.PermissionSettingGranted)
		alice.until(`document.querySelector("dialog[open]") === null`)
		alice.do(`document.querySelector("[data-testid=nearby]").click()`)
		alice.until(nearbyRooms + `.length === 20`)
		alice.accessible(source, "near me, "+look.name)
		alice.escape()
		alice.do(`document.querySelector("[data-testid=members]").click(); document.getElementById("place-owners").open = true`)
		alice.until(`document.getElementById("members-dialog").open`)
		alice.do(`document.getElementById("place-owners").open = true`)
		alice.accessible(source, "place, "+look.name)
		alice.escape()
		alice.until(`document.querySelector("dialog[open]") === null`)
	}
}
