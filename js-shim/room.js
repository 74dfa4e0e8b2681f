// What an isolate's requests hold together of something that there is not much of. A request may end without a word,
// its code never going on: so what is held is held for a time, and not missed for ever.

export class Room {
  /** @type {Set<Place>} */
  #places = new Set();

  /** @param {number} most what all may hold together */
  constructor(most) {
    this.most = most;
  }

  /** What is held now. */
  held() {
    const now = Date.now();
    let sum = 0;
    for (const place of this.#places) {
      // A clock that was ahead ends nothing for ever either; a request's clock stands between its waits, so that
      // another's may be a little ahead of it.
      if (now > place.until || place.since - now > place.until - place.since) this.#places.delete(place);
      else sum += place.amount;
    }
    return sum;
  }

  /** @param {number} amount @returns {boolean} whether there is as much, or nobody holds anything */
  has(amount) {
    const held = this.held();
    return held === 0 || held + amount <= this.most;
  }

  /** @returns {Place} that holds nothing yet */
  place() {
    return new Place(this.#places);
  }
}

/** A request's share. */
class Place {
  amount = 0;
  since = 0;
  until = 0;
  /** @type {Set<Place>} */
  #places;

  /** @param {Set<Place>} places */
  constructor(places) {
    this.#places = places;
  }

  /** From now on it holds so much, for a time. @param {number} amount @param {number} forMs */
  hold(amount, forMs) {
    this.amount = amount;
    this.since = Date.now();
    this.until = this.since + forMs;
    this.#places.add(this);
  }

  end() {
    this.amount = 0;
    this.#places.delete(this);
  }
}
