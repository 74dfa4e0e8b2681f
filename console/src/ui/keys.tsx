// All keys, told in one place.

const KEY_LIST: [string, string][] = [
  ["Ctrl K", "go, find or do"],
  ["g then l w i p s e f q h", "Live, Web, Insights, People, Sessions, Errors, Flags, SQL, Health"],
  ["/", "add a filter"],
  ["t", "time range"],
  ["c", "next comparison"],
  ["r · R", "ask again · past every cache"],
  ["j k ↑ ↓ Enter", "in lists"],
  ["← → ↑ ↓ Enter T", "on a chart: buckets, series, people, table"],
  ["Esc", "close one layer"],
  ["[", "fold the rail"],
  ["?", "this list"],
];

export function Keys({ close }: { close: () => void }) {
  return (
    <div class="in">
      <h2>Keys</h2>
      <dl class="pairs">
        {KEY_LIST.map(([key, what]) => [
          <dt key={`${key}.`}>
            <kbd>{key}</kbd>
          </dt>,
          <dd key={key}>{what}</dd>,
        ])}
      </dl>
      <p class="meta">Single keys can be switched off in Settings › Look.</p>
      <button type="button" class="button" onClick={close}>
        Close
      </button>
    </div>
  );
}
