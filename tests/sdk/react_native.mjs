// posthog-react-native outside of a phone: what it loads of React and React Native is mocked, the SDK itself
// is what npm has.
import Module, { createRequire } from "node:module";

/** Whatever is asked of it is a function that gives it again: components, hooks and styles nobody renders. */
const anything = new Proxy(() => {}, {
  get: (_, name) => (name === "__esModule" ? false : name === Symbol.toPrimitive ? () => "" : anything),
  apply: () => anything,
  construct: () => anything,
});

const reactNative = {
  AppState: { currentState: "active", addEventListener: () => ({ remove: () => {} }) },
  Dimensions: { get: () => ({ width: 390, height: 844 }) },
  Linking: { getInitialURL: async () => null, addEventListener: () => ({ remove: () => {} }) },
  NativeModules: {},
  Platform: { OS: "ios", Version: "18.1", select: (choices) => choices.ios ?? choices.default },
  I18nManager: { getConstants: () => ({ localeIdentifier: "en_US" }) },
  StyleSheet: { create: (styles) => styles },
};
const MOCKS = {
  "react-native": new Proxy(reactNative, { get: (mock, name) => (name in mock ? mock[name] : anything) }),
  react: anything,
  "react/jsx-runtime": anything,
};

/** The SDK's PostHog class. */
export function loadReactNative() {
  const modules = /** @type {any} */ (Module);
  const load = modules._load;
  modules._load = (request, ...rest) => MOCKS[request] ?? load(request, ...rest);
  try {
    return createRequire(import.meta.url)("posthog-react-native").PostHog;
  } finally {
    modules._load = load;
  }
}
