-- 7. The median follower count of those who joined in each year from 2015 to 2020, over posts. The median is percentile_approx(x, 0.5), an
--    element of the data.
SELECT year(date_joined) AS post_year, percentile_approx(follower_count, 0.5) AS median_follower_count
FROM pin JOIN user USING (ind)
WHERE date_joined >= '2015-01-01' AND date_joined < '2021-01-01'
GROUP BY post_year
ORDER BY post_year;
