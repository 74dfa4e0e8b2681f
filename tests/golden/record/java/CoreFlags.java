// Asks com.posthog:posthog, the core of the SDKs for Android and the JVM, for flags of the server in
// HOGFLARE_RECORD_URL, and prints what it read. Its releases differ in how many arguments a method takes.
import com.posthog.PostHog;
import com.posthog.PostHogConfig;
import com.posthog.PostHogInterface;
import java.io.File;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.util.Map;

public class CoreFlags {
  static PostHogInterface client;

  // Kotlin's optional arguments behind the first ones are null.
  static Object call(String name, Object... given) throws Exception {
    for (Method method : PostHogInterface.class.getMethods()) {
      if (!method.getName().equals(name)) continue;
      Object[] arguments = new Object[method.getParameterCount()];
      System.arraycopy(given, 0, arguments, 0, given.length);
      return method.invoke(client, arguments);
    }
    throw new IllegalStateException(name);
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
    client.identify("jvm-user", Map.of("email", "jvm@example.com"), null);
    client.group("company", "acme", Map.of("tier", "gold"));
    // Older releases send no properties with the question: what is stored decides.
    for (int i = 0; i < 60; ++i) {
      client.flush();
      Thread.sleep(1000);
      call("reloadFeatureFlags");
      Thread.sleep(1000);
      boolean isStaff = Boolean.TRUE.equals(call("getFeatureFlag", "staff"));
      if (isStaff && Boolean.TRUE.equals(call("getFeatureFlag", "gold"))) break;
    }
    StringBuilder out = new StringBuilder("{\"remote\":{");
    for (String key : new String[] {"on", "off", "staff", "look", "gold"}) {
      Object value = call("getFeatureFlag", key);
      out.append('"').append(key).append("\":");
      out.append(value instanceof String ? "\"" + value + "\"" : value).append(',');
    }
    Object payload = call("getFeatureFlagPayload", "look");
    Object columns = payload instanceof Map ? ((Map<?, ?>) payload).get("columns") : null;
    out.append("\"payload\":{\"columns\":").append(columns).append("}}}");
    client.close();
    System.out.println(out);
    System.exit(0);
  }
}
