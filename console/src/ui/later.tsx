// Parts that are a file of their own, asked for when they are first shown.
import type { ComponentType } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { newerConsole } from "./pages";

/** A component that shows nothing until its file is there. */
export function later<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let known: ComponentType<P> | undefined;
  return function Later(props: P) {
    const [, draw] = useState(0);
    useLayoutEffect(() => {
      if (known === undefined)
        void load().then(
          (part) => {
            known = part;
            draw(1);
          },
          () => {
            newerConsole.value = true;
          },
        );
    }, []);
    const Known = known;
    return Known === undefined ? null : <Known {...props} />;
  };
}
