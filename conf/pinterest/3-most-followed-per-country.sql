-- 3. The user (poster) with the most followers in each country; then the country of the most followed of all.
--    Users who share the first place are all shown, once each. Countries where no follower count is known are left out.
WITH top AS (
    SELECT country, max(follower_count) AS follower_count
    FROM pin JOIN geo USING (ind)
    GROUP BY country
)
SELECT DISTINCT country, poster_name, follower_count
FROM pin JOIN geo USING (ind) JOIN top USING (country, follower_count)
ORDER BY country, poster_name;

SELECT DISTINCT country, follower_count
FROM pin JOIN geo USING (ind)
WHERE follower_count = (SELECT max(follower_count) FROM pin JOIN geo USING (ind))
ORDER BY country;
