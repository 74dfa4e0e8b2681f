// Sends what com.posthog:posthog, the core of the SDKs for Android and the JVM, can send to the server in
// HOGFLARE_RECORD_URL. Its releases differ in how many arguments a method takes; Kotlin's optional ones
// are null here.
import com.posthog.PostHog;
import com.posthog.PostHogConfig;
import com.posthog.PostHogInterface;
import java.io.File;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Map;

public class Core {
  static PostHogInterface client;

  static void capture(String event, Map<String, ?> properties, Map<String, ?> set) throws Exception {
    for (Method method : PostHogInterface.class.getMethods()) {
      if (!method.getName().equals("capture")) continue;
      Object[] arguments = new Object[method.getParameterCount()];
      arguments[0] = event;
      arguments[2] = properties;
      arguments[3] = set;
      method.invoke(client, arguments);
    }
  }

  // The constructor with a mask of the arguments that take their defaults.
  static PostHogConfig configure(String url) throws Exception {
    for (Constructor<?> constructor : PostHogConfig.class.getConstructors()) {
      Class<?>[] types = constructor.getParameterTypes();
      if (!types[types.length - 1].getSimpleName().equals("DefaultConstructorMarker")) continue;
      Object[] arguments = new Object[types.length];
      for (int i = 0; i < types.length; ++i) {
        if (types[i] == boolean.class) arguments[i] = false;
        if (types[i] == int.class) arguments[i] = 0;
      }
      arguments[0] = "phc_golden";
      arguments[1] = url;
      arguments[types.length - 2] = ~3;
      return (PostHogConfig) constructor.newInstance(arguments);
    }
    throw new IllegalStateException("PostHogConfig has no constructor with defaults");
  }

  public static void main(String[] arguments) throws Exception {
    PostHogConfig config = configure(System.getenv("HOGFLARE_RECORD_URL"));
    File storage = Files.createTempDirectory("posthog").toFile();
    config.setStoragePrefix(storage.getPath());
    config.setFlushAt(100);
    client = PostHog.Companion.with(config);
    capture("anonymous", null, null);
    client.identify("jvm-user", Map.of("email", "jvm@example.com"), Map.of("first", "jvm"));
    capture(
        "purchase",
        Map.of(
            "amount", 29.99,
            "count", 9007199254740993L,
            "text", "grüße 🦔",
            "nested", Map.of("a", Arrays.asList(1, 2))),
        Map.of("plan", "pro"));
    client.group("company", "acme", Map.of("size", 12));
    client.alias("jvm-alias");
    client.screen("Checkout", Map.of("step", 2));
    client.reset();
    capture("after the reset", null, null);
    // The queue is filled by threads of its own.
    Thread.sleep(2000);
    client.flush();
    Thread.sleep(3000);
    client.close();
    System.exit(0);
  }
}
